"""Turns a make command into one run of ansible-playbook, with its rights, lock, log and verdict."""
