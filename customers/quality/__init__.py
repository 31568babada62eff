"""How good the unified data are: what the sources gave, what people's fields hold, who is who, and the events."""
