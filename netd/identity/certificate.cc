#include "netd/identity/certificate.h"

#include "netd/identity/openssl.h"

namespace heddle::identity {

Result<Certificate> parse_certificate(std::string_view pem) {
  TRY(const X509Ptr certificate, read_certificate(pem));
  return describe(certificate.get());
}

Result<> check_signed_by(std::string_view leaf_pem, std::string_view root_pem,
                         std::chrono::system_clock::time_point now) {
  TRY(const X509Ptr leaf, read_certificate(leaf_pem));
  TRY(const X509Ptr root, read_certificate(root_pem));
  return verify(leaf.get(), root.get(), now);
}

namespace {

Result<KeyAndRequest> request_for(const std::string& common_name, const KeyPtr& key) {
  const RequestPtr request(X509_REQ_new());
  X509_NAME* subject = request ? X509_REQ_get_subject_name(request.get()) : nullptr;
  const auto* name = reinterpret_cast<const unsigned char*>(common_name.data());
  if (subject == nullptr ||
      X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                                 const_cast<unsigned char*>(name),
                                 static_cast<int>(common_name.size()), -1, 0) != 1 ||
      X509_REQ_set_pubkey(request.get(), key.get()) != 1 ||
      X509_REQ_sign(request.get(), key.get(), EVP_sha256()) == 0) {
    return std::unexpected(openssl_error(Errc::internal, "make a certificate request"));
  }
  KeyAndRequest made;
  TRY(made.key_pem, to_pem(key.get()));
  TRY(made.request_pem, to_pem(request.get()));
  return made;
}

}  // namespace

Result<KeyAndRequest> make_request(const std::string& common_name) {
  TRY(const KeyPtr key, make_key());
  return request_for(common_name, key);
}

Result<KeyAndRequest> make_request(const std::string& common_name, const std::string& key_pem) {
  TRY(const KeyPtr key, read_key(key_pem));
  return request_for(common_name, key);
}

Result<Digest> key_digest(std::string_view request_pem) {
  TRY(const RequestPtr request, read_request(request_pem));
  EVP_PKEY* key = X509_REQ_get0_pubkey(request.get());
  unsigned char* der = nullptr;
  const int size = key == nullptr ? -1 : i2d_PUBKEY(key, &der);
  if (size <= 0) return std::unexpected(openssl_error(Errc::invalid, "certificate request"));
  Digest digest{};
  unsigned digest_size = 0;
  const int done = EVP_Digest(der, static_cast<std::size_t>(size), digest.data(), &digest_size,
                              EVP_sha256(), nullptr);
  OPENSSL_free(der);
  if (done != 1) return std::unexpected(openssl_error(Errc::internal, "digest of a key"));
  return digest;
}

Result<> check_key_fits(std::string_view certificate_pem, std::string_view key_pem) {
  TRY(const X509Ptr certificate, read_certificate(certificate_pem));
  TRY(const KeyPtr key, read_key(key_pem));
  if (X509_check_private_key(certificate.get(), key.get()) == 1) return {};
  return std::unexpected(openssl_error(Errc::invalid, "the private key is not the certificate's"));
}

}  // namespace heddle::identity
