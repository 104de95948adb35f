-- Pictures of returns and complaints are lost.
DROP TABLE case_photos;
