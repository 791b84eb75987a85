"""Master data: sites, stations, parties, products, codes, orders."""
