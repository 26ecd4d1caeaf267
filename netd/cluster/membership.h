#pragma once
#include <optional>
#include <string>

#include "common/base/result.h"
#include "netd/cluster/records.pb.h"

namespace heddle::cluster {

// The files of <state>/swarm. Membership is the one that counts: written last, removed first.
class MembershipDir {
 public:
  explicit MembershipDir(std::string path) : path_(std::move(path)) {}

  // Makes the directory (0700) if need be; without a membership, whatever a join or leave that was
  // cut short left behind is removed.
  Result<std::optional<Membership>> open();
  Result<> write(const Membership& membership);
  // Forgets it all. Goes on past failures.
  Result<> wipe();

  std::string file(const std::string& name) const { return path_ + "/" + name; }
  Result<std::string> read(const std::string& name) const;
  Result<> write(const std::string& name, const std::string& content) const;
  Result<> remove(const std::string& name) const;  // a file or a directory; absence is fine

 private:
  Result<> remove_all_but(const std::string& kept);
  std::string path_;
};

// What a node needs beside its own identity to be a manager.
struct ManagerKeys {
  std::string root_key_pem;
  std::string etcd_root_pem;
  std::string etcd_root_key_pem;
};

// Names in it.
inline constexpr char kRootFile[] = "root.pem";
inline constexpr char kNodeCertificateFile[] = "node.pem";
inline constexpr char kNodeKeyFile[] = "node.key";
inline constexpr char kJoinKeyFile[] = "join.key";  // outlives a join whose answer was lost
inline constexpr char kLastStateFile[] = "state";
// Managers only.
inline constexpr char kRootKeyFile[] = "root.key";
inline constexpr char kEtcdRootFile[] = "etcd-root.pem";
inline constexpr char kEtcdRootKeyFile[] = "etcd-root.key";
inline constexpr char kEtcdCertificateFile[] = "etcd.pem";
inline constexpr char kEtcdKeyFile[] = "etcd.key";
inline constexpr char kEtcdDir[] = "etcd";
inline constexpr char kEtcdLog[] = "etcd.log";

}  // namespace heddle::cluster
