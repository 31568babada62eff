"""Reading what other systems export: delimited text, Excel, Parquet and SQL, always as text with line numbers."""

__all__ = ["database", "delimited", "encoding", "excel", "parquet", "read"]
