"""Reward functions: source checks, the limited child process, batched calls, the reward map."""
