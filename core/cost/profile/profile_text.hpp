// The lines of a profile's journal.
#pragma once

#include <string>

#include "core/cost/profile/profile.hpp"

namespace opsched::profile_text {

/// First line of every journal.
std::string header_line(const DeviceFacts& device, Precision precision);
std::string facts_line(const DeviceFacts& device);
std::string stage_line(const std::string& key, const ProfileEntry& record);
std::string transfer_line(LinkKind kind, const std::tuple<int, int, std::int64_t>& key, const ProfileEntry& record);
std::string topology_line(const Topology& topology);
std::string schedule_line(const std::pair<std::string, std::string>& key, const ScheduleRecord& record);
std::string calibration_line(const std::string& name, double value);

}  // namespace opsched::profile_text
