"""What the Make targets run: thin programs around ansible-playbook, the linters and the tests."""
