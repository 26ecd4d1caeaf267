#pragma once
// Internal to this folder: OpenSSL's objects as owners. Not included by any other header.
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "netd/identity/certificate.h"

namespace heddle::identity {

template <auto kFree>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using X509Ptr = std::unique_ptr<X509, Freed<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using RequestPtr = std::unique_ptr<X509_REQ, Freed<X509_REQ_free>>;
using BioPtr = std::unique_ptr<BIO, Freed<BIO_free_all>>;

// The oldest entry of this thread's error queue, which is then empty.
Error openssl_error(Errc code, std::string_view what);

Result<X509Ptr> read_certificate(std::string_view pem);
Result<KeyPtr> read_key(std::string_view pem);
Result<RequestPtr> read_request(std::string_view pem);
Result<KeyPtr> make_key();
bool is_p256(const EVP_PKEY* key);
Result<std::string> to_pem(X509* certificate);
Result<std::string> to_pem(EVP_PKEY* key);
Result<std::string> to_pem(X509_REQ* request);
Digest digest_of(const X509* certificate);
Result<Certificate> describe(const X509* certificate);
Result<> verify(X509* leaf, X509* root, std::chrono::system_clock::time_point now);

}  // namespace heddle::identity
