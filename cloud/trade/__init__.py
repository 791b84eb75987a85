"""What is announced and agreed around goods: notices of shipments, packaging, containers, and how grave checks are."""
