-- One service's database and its two roles: an owner, who migrates it, and the role that the service runs with.
-- psql variables: service, owner, owner_password, role, role_password. What the role may do inside is granted by `clientbilling migrate`.
CREATE ROLE :"owner" LOGIN PASSWORD :'owner_password' NOSUPERUSER NOCREATEDB NOCREATEROLE;
CREATE ROLE :"role" LOGIN PASSWORD :'role_password' NOSUPERUSER NOCREATEDB NOCREATEROLE;
CREATE DATABASE :"service" OWNER :"owner" ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE :"service" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"service" TO :"role";
