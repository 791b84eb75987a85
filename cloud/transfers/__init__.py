"""Documents that move stock: transfers and put-aways, returns, changes of owner, scrap, and counts."""
