#include "netd/identity/openssl.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "common/base/check.h"

namespace heddle::identity {
namespace {

BioPtr reader(std::string_view text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// No private key of ours has a passphrase; a foreign one must not make OpenSSL ask the terminal.
int no_passphrase(char*, int, int, void*) {
  return 0;
}

Result<std::string> text_of(const BioPtr& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

template <class Write>
Result<std::string> written(std::string_view what, Write write) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || write(bio.get()) != 1) return std::unexpected(openssl_error(Errc::internal, what));
  return text_of(bio);
}

Result<std::chrono::system_clock::time_point> time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) {
    return std::unexpected(openssl_error(Errc::invalid, "certificate time"));
  }
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

std::string text_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

std::string common_name_of(const X509* certificate) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (index < 0) return {};
  return text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)));
}

}  // namespace

Error openssl_error(Errc code, std::string_view what) {
  const unsigned long first = ERR_get_error();
  ERR_clear_error();
  if (first == 0) return {code, std::string(what) + ": refused by OpenSSL"};
  const char* reason = ERR_reason_error_string(first);
  return {code, std::string(what) + ": " + (reason != nullptr ? reason : "unknown reason")};
}

Result<X509Ptr> read_certificate(std::string_view pem) {
  const BioPtr bio = reader(pem);
  X509Ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr));
  if (!certificate) return std::unexpected(openssl_error(Errc::invalid, "certificate"));
  return certificate;
}

Result<KeyPtr> read_key(std::string_view pem) {
  const BioPtr bio = reader(pem);
  KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  if (!key) return std::unexpected(openssl_error(Errc::invalid, "private key"));
  return key;
}

Result<RequestPtr> read_request(std::string_view pem) {
  const BioPtr bio = reader(pem);
  RequestPtr request(PEM_read_bio_X509_REQ(bio.get(), nullptr, no_passphrase, nullptr));
  if (!request) return std::unexpected(openssl_error(Errc::invalid, "certificate request"));
  return request;
}

Result<KeyPtr> make_key() {
  KeyPtr key(EVP_EC_gen("P-256"));
  if (!key) return std::unexpected(openssl_error(Errc::internal, "make a key"));
  return key;
}

bool is_p256(const EVP_PKEY* key) {
  char group[64];
  std::size_t size = 0;
  if (EVP_PKEY_is_a(key, "EC") != 1) return false;
  if (EVP_PKEY_get_group_name(key, group, sizeof group, &size) != 1) return false;
  const std::string_view name(group, size);
  return name == "prime256v1" || name == "P-256";
}

Result<std::string> to_pem(X509* certificate) {
  return written("write a certificate",
                 [&](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}

Result<std::string> to_pem(EVP_PKEY* key) {
  return written("write a key", [&](BIO* bio) {
    return PEM_write_bio_PKCS8PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
}

Result<std::string> to_pem(X509_REQ* request) {
  return written("write a certificate request",
                 [&](BIO* bio) { return PEM_write_bio_X509_REQ(bio, request); });
}

Digest digest_of(const X509* certificate) {
  Digest digest{};
  unsigned size = 0;
  CHECK(X509_digest(certificate, EVP_sha256(), digest.data(), &size) == 1);
  CHECK(size == digest.size());
  return digest;
}

Result<Certificate> describe(const X509* certificate) {
  Certificate out;
  out.common_name = common_name_of(certificate);
  TRY(out.not_before, time_of(X509_get0_notBefore(certificate)));
  TRY(out.not_after, time_of(X509_get0_notAfter(certificate)));
  out.digest = digest_of(certificate);
  const std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  const int count = names ? sk_GENERAL_NAME_num(names.get()) : 0;
  for (int i = 0; i < count; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) out.dns_names.push_back(text_of(name->d.dNSName));
    if (name->type == GEN_URI) out.uris.push_back(text_of(name->d.uniformResourceIdentifier));
  }
  return out;
}

Result<> verify(X509* leaf, X509* root, std::chrono::system_clock::time_point now) {
  const std::unique_ptr<X509_STORE, Freed<X509_STORE_free>> trusted(X509_STORE_new());
  const std::unique_ptr<X509_STORE_CTX, Freed<X509_STORE_CTX_free>> context(X509_STORE_CTX_new());
  if (!trusted || !context || X509_STORE_add_cert(trusted.get(), root) != 1 ||
      X509_STORE_CTX_init(context.get(), trusted.get(), leaf, nullptr) != 1) {
    return std::unexpected(openssl_error(Errc::internal, "verify a certificate"));
  }
  X509_STORE_CTX_set_time(context.get(), 0, std::chrono::system_clock::to_time_t(now));
  X509_STORE_CTX_set_purpose(context.get(), X509_PURPOSE_SSL_SERVER);
  if (X509_verify_cert(context.get()) == 1) return {};
  const int code = X509_STORE_CTX_get_error(context.get());
  ERR_clear_error();
  std::string text = "the certificate does not verify: ";
  text += X509_verify_cert_error_string(code);
  if (code == X509_V_ERR_CERT_NOT_YET_VALID || code == X509_V_ERR_CERT_HAS_EXPIRED) {
    text += "; is the clock of this host right?";
  }
  return fail(Errc::denied, text);
}

}  // namespace heddle::identity
