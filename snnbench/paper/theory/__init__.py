"""The theory of self-normalization: the moment map, its fixed points, the paper's theorems as proofs by machine.

``moment_map`` is g in float64 and ``balls`` the same in ball arithmetic, both from the formulas of ``closed_form``;
``fixed_points`` solves for them, ``theorems`` states and ``subdivision`` proves bounds, ``analysis`` asks of any activation
what the paper asks of SELU. ``docs/theory.md`` tells the story.
"""
