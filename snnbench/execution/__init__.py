"""Where and when trainings run: the plan, the two stages, the engines."""
