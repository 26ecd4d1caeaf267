#include "netd/identity/authority.h"

#include <openssl/bn.h>
#include <openssl/x509v3.h>

#include "netd/identity/openssl.h"

namespace heddle::identity {
namespace {

using TimePoint = std::chrono::system_clock::time_point;

bool set_common_name(X509_NAME* name, const std::string& text) {
  auto* bytes = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(text.data()));
  return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, bytes,
                                    static_cast<int>(text.size()), -1, 0) == 1;
}

// 127 random bits, positive (RFC 5280, section 4.1.2.2).
bool set_serial(X509* certificate) {
  const std::unique_ptr<BIGNUM, Freed<BN_free>> number(BN_new());
  return number && BN_rand(number.get(), 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool set_validity(X509* certificate, TimePoint from, TimePoint to) {
  return ASN1_TIME_set(X509_getm_notBefore(certificate),
                       std::chrono::system_clock::to_time_t(from)) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), std::chrono::system_clock::to_time_t(to)) !=
             nullptr;
}

bool add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool add_name(GENERAL_NAMES* names, int type, std::string_view text) {
  GENERAL_NAME* name = GENERAL_NAME_new();
  ASN1_STRING* value =
      ASN1_STRING_type_new(type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
  if (name == nullptr || value == nullptr ||
      ASN1_STRING_set(value, text.data(), static_cast<int>(text.size())) != 1) {
    GENERAL_NAME_free(name);
    ASN1_STRING_free(value);
    return false;
  }
  GENERAL_NAME_set0_value(name, type, value);
  if (sk_GENERAL_NAME_push(names, name) > 0) return true;
  GENERAL_NAME_free(name);
  return false;
}

// Built from values, never from configuration text, in which a comma would start another name.
bool add_alternative_names(X509* certificate, const Profile& profile) {
  const std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>> names(GENERAL_NAMES_new());
  if (!names) return false;
  for (const auto& dns : profile.dns_names) {
    if (!add_name(names.get(), GEN_DNS, dns)) return false;
  }
  for (const auto& uri : profile.uris) {
    if (!add_name(names.get(), GEN_URI, uri)) return false;
  }
  for (const auto& address : profile.addresses) {
    const std::string_view bytes(reinterpret_cast<const char*>(address.bytes().data()),
                                 address.is_v4() ? 4 : 16);
    if (!add_name(names.get(), GEN_IPADD, bytes)) return false;
  }
  if (sk_GENERAL_NAME_num(names.get()) == 0) return true;
  return X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT) ==
         1;
}

bool fill_root(X509* root, EVP_PKEY* key, const std::string& common_name, TimePoint now) {
  return X509_set_version(root, X509_VERSION_3) == 1 && set_serial(root) &&
         set_validity(root, now - kBackdate, now + kAuthorityLifetime) &&
         set_common_name(X509_get_subject_name(root), common_name) &&
         X509_set_issuer_name(root, X509_get_subject_name(root)) == 1 &&
         X509_set_pubkey(root, key) == 1 &&
         add_extension(root, root, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
         add_extension(root, root, NID_key_usage, "critical,keyCertSign,cRLSign") &&
         add_extension(root, root, NID_subject_key_identifier, "hash") &&
         X509_sign(root, key, EVP_sha256()) != 0;
}

bool fill_leaf(X509* leaf, X509* issuer, EVP_PKEY* issuer_key, EVP_PKEY* key,
               const Profile& profile, TimePoint from, TimePoint to) {
  return X509_set_version(leaf, X509_VERSION_3) == 1 && set_serial(leaf) &&
         set_validity(leaf, from, to) &&
         set_common_name(X509_get_subject_name(leaf), profile.common_name) &&
         X509_set_issuer_name(leaf, X509_get_subject_name(issuer)) == 1 &&
         X509_set_pubkey(leaf, key) == 1 &&
         add_extension(leaf, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
         add_extension(leaf, issuer, NID_key_usage, "critical,digitalSignature") &&
         add_extension(leaf, issuer, NID_ext_key_usage, "serverAuth,clientAuth") &&
         add_extension(leaf, issuer, NID_subject_key_identifier, "hash") &&
         add_extension(leaf, issuer, NID_authority_key_identifier, "keyid") &&
         add_alternative_names(leaf, profile) && X509_sign(leaf, issuer_key, EVP_sha256()) != 0;
}

}  // namespace

Profile node_profile(const std::string& swarm, const std::string& node, NodeKind kind) {
  Profile profile;
  profile.common_name = node;
  profile.dns_names = {"node-" + node + ".heddle.internal"};
  if (kind == NodeKind::manager) profile.dns_names.emplace_back(kManagerName);
  profile.uris = {"spiffe://" + swarm + "/node/" + node};
  profile.lifetime = kNodeLifetime;
  return profile;
}

Result<Authority> Authority::create(const std::string& common_name, const Clock& clock) {
  TRY(const KeyPtr key, make_key());
  const X509Ptr root(X509_new());
  if (!root || !fill_root(root.get(), key.get(), common_name, clock.wall())) {
    return std::unexpected(openssl_error(Errc::internal, "make a certificate authority"));
  }
  TRY(std::string certificate_pem, to_pem(root.get()));
  TRY(std::string key_pem, to_pem(key.get()));
  return Authority(std::move(certificate_pem), std::move(key_pem), digest_of(root.get()));
}

Result<Authority> Authority::load(const std::string& certificate_pem, const std::string& key_pem) {
  TRY(const X509Ptr root, read_certificate(certificate_pem));
  TRY_DO(check_key_fits(certificate_pem, key_pem));
  if (X509_check_ca(root.get()) != 1) {
    return fail(Errc::invalid, "the certificate is not one of an authority");
  }
  return Authority(certificate_pem, key_pem, digest_of(root.get()));
}

Result<std::string> Authority::issue(const std::string& request_pem, const Profile& profile,
                                     const Clock& clock) const {
  TRY(const RequestPtr request, read_request(request_pem));
  EVP_PKEY* key = X509_REQ_get0_pubkey(request.get());
  if (key == nullptr || X509_REQ_verify(request.get(), key) != 1) {
    return std::unexpected(openssl_error(Errc::invalid, "certificate request: bad signature"));
  }
  if (!is_p256(key)) {
    return fail(Errc::invalid, "certificate request: only EC keys on P-256 are accepted");
  }
  TRY(const X509Ptr issuer, read_certificate(certificate_pem_));
  TRY(const KeyPtr issuer_key, read_key(key_pem_));
  TRY(const Certificate root, describe(issuer.get()));
  const TimePoint now = clock.wall();
  if (now >= root.not_after) return fail(Errc::denied, "the certificate authority has expired");
  const TimePoint end = std::min(now + profile.lifetime, root.not_after);
  const X509Ptr leaf(X509_new());
  const TimePoint start = std::max(now - kBackdate, root.not_before);
  if (!leaf || !fill_leaf(leaf.get(), issuer.get(), issuer_key.get(), key, profile, start, end)) {
    return std::unexpected(openssl_error(Errc::internal, "issue a certificate"));
  }
  return to_pem(leaf.get());
}

}  // namespace heddle::identity
