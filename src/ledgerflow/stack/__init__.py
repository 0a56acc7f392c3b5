"""Computes a stack from settings and facts: services, networks, volumes, images and the deployment."""
