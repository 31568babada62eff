"""What a trained model is: its bundle, how it scores people, and the reasons it gives."""

__all__: list[str] = []
