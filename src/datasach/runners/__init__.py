"""Who executes a plan: this process, or Prefect. Same steps, same tables, same bytes."""
