"""Bringing values that people typed into one form, one module per subject."""

__all__ = ["address", "address_fields", "company", "email", "name", "phone", "prefecture", "text", "title"]
