"""What the paper shows on single networks, beside the benchmark: training losses, network inputs, moments by layer.

Each module measures one figure's numbers as a table and draws the table as a chart, so that the numbers can be had without the
picture. They use the networks and the trainer of the benchmark.
"""
