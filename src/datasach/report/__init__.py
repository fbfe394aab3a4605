"""What people read: receipts for senders, pages for auditors, Departments and facilities."""
