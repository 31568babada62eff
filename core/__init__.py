"""The ground that every folder stands on: settings, tables, time, errors, storage, logs."""
