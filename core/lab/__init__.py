"""The lab: decisions made again from their records, and what another rule or setting would have made of them.

Everything here drives `core.routing.decide` with recorded inputs; nothing here is needed to serve a request.
"""
