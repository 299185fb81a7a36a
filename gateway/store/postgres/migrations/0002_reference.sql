-- Practices and postcodes, as gateways load them into memory; a new version replaces the old in one statement.
CREATE TABLE reference_data (
    dataset   text   PRIMARY KEY,
    version   bigint NOT NULL,      -- when it was loaded
    source    text   NOT NULL,      -- the name of the file
    row_count bigint NOT NULL,
    body      bytea  NOT NULL
);
ALTER TABLE reference_data ALTER COLUMN body SET STORAGE EXTERNAL;     -- of 22 MB little could be saved, and not soon
