#pragma once
#include <string>
#include <string_view>

#include "topologies/engine/plan/plan.h"

// A node as an engine is told of it. Pure.
namespace heddle::container {

// Labels of a lab's containers: its name, its run directory, the node's name. The directory is the
// one that tells labs apart.
inline constexpr std::string_view kLabLabel = "heddle.lab";
inline constexpr std::string_view kRunLabel = "heddle.lab.run";
inline constexpr std::string_view kNodeLabel = "heddle.lab.node";

// The body of POST /containers/create. `directory`: where relative binds begin.
std::string format_spec(const plan::Member& member, const plan::LabPaths& paths,
                        const std::string& directory);

// `image:latest` of `image`: an engine that is to pull one without a tag pulls all of them.
std::string with_tag(const std::string& image);

// Text for a request's query.
std::string percent_encode(std::string_view text);

}  // namespace heddle::container
