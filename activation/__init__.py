"""What happens because of a score: alerts for sales, and the channels that carry them."""

__all__: list[str] = []
