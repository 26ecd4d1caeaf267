#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/net/ip.h"
#include "netd/identity/certificate.h"

namespace heddle::identity {

// What a certificate is to say; nothing of it is taken from the request, which only proves that the
// asker holds the key.
struct Profile {
  std::string common_name;
  std::vector<std::string> dns_names;
  std::vector<std::string> uris;
  std::vector<IpAddr> addresses;
  std::chrono::seconds lifetime{};  // cut to the authority's own end
};

inline constexpr std::chrono::hours kNodeLifetime{24 * 90};
inline constexpr std::chrono::hours kRenewBefore{24 * 30};  // one with less left is made anew
inline constexpr std::chrono::hours kAuthorityLifetime{24 * 3650};
// Certificates begin this much before they are made, for clocks that run behind.
inline constexpr std::chrono::minutes kBackdate{10};

// The name that managers answer to, whatever their address: clients of the node API check it.
inline constexpr std::string_view kManagerName = "manager.heddle.internal";
enum class NodeKind { worker, manager };
// CN: the id; DNS node-<id>.heddle.internal, and kManagerName for managers; URI
// spiffe://<swarm>/node/<id> (SPIFFE-ID, section 2).
Profile node_profile(const std::string& swarm, const std::string& node, NodeKind kind);

// A certificate authority: a self-signed root and its key, which signs leaves directly. EC P-256.
// Threads: any; calls compute for about a millisecond.
class Authority {
 public:
  // A new root, named `common_name`.
  static Result<Authority> create(const std::string& common_name, const Clock& clock);
  // Errors: `invalid` when they are no PEM, no authority, or do not fit each other.
  static Result<Authority> load(const std::string& certificate_pem, const std::string& key_pem);

  const std::string& certificate_pem() const { return certificate_pem_; }
  const std::string& key_pem() const { return key_pem_; }
  const Digest& digest() const { return digest_; }

  // Signs the key of a request; returns the certificate as PEM, good for TLS clients and servers.
  // Errors: `invalid` for a request that is malformed, not self-signed or of another key type.
  Result<std::string> issue(const std::string& request_pem, const Profile& profile,
                            const Clock& clock) const;

 private:
  Authority(std::string certificate_pem, std::string key_pem, Digest digest)
      : certificate_pem_(std::move(certificate_pem)),
        key_pem_(std::move(key_pem)),
        digest_(digest) {}

  std::string certificate_pem_;
  std::string key_pem_;
  Digest digest_;
};

}  // namespace heddle::identity
