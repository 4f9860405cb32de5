/* SPDX-License-Identifier: MIT */
/* Without a `ca` option, a client trusts the system's roots: here the one that
 * SSL_CERT_FILE names; otherwise none of ours. */
#include "tls_pair.h"

#include <openssl/x509.h>

static const cert_row known = {"1", "server.pem", NULL, "ws.test", NULL};
static const cert_row unknown = {"9", "server.pem", NULL, "ws.test",
                                 "unable to get local issuer"};

/* Not all systems have setenv. */
static void name_roots(const char *file) {
  static char text[300];
  snprintf(text, sizeof text, "%s=%s", X509_get_default_cert_file_env(),
           cert_path(file).data);
  if (putenv(text) != 0) exit(2);
}

static bool trusts(const cert_row *row) {
  ws_tls_options options = {0};
  ws_tls *client = tls_make(&options);
  bool good = row_try(row, client, true);
  ws_tls_unref(client);
  return good;
}

TEST(roots_that_the_environment_names) {
  name_roots("root.pem");
  CHECK(trusts(&known));
  name_roots("self.pem");
  CHECK(trusts(&unknown));
}

int main(void) {
  certs_begin();
  RUN(roots_that_the_environment_names);
  certs_end();
  return check_done();
}
