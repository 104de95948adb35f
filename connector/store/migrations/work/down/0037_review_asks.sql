-- The older Kiitos asks about a product with every order.
DROP TABLE review_asks;
