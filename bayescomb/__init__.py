"""bayescomb."""
from bayescomb.model_file import load
from bayescomb.profile import profile
__all__=["load","profile"]
