from tests.sweeps.servers import postgresql, server

__all__ = ["postgresql", "server"]
