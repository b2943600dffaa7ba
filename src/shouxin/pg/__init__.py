"""A private PostgreSQL for trying and testing Shouxin.

The bank's own server is named by ``DATABASE_URL`` and always wins. Without it, this package starts a server of
its own: on a Unix socket only, in a directory only its owner can enter. Production uses the bank's PostgreSQL.
"""
