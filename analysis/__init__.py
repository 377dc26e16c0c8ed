"""The document's claims, and the replication document that examines them."""
