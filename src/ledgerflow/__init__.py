"""The product on the controller: it checks, plans and runs a deploy; the stack it deploys is in app/ and images/.

Each sub-package says in one sentence what it is for. Only the controller installs it; target hosts never import it.
"""
