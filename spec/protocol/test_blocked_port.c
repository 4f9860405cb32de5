/* SPDX-License-Identifier: MIT */
/* S45: exactly Fetch's bad ports are blocked. */
#include "check.h"

#include "protocol/blocked_port.h"

/* As listed in S45. */
static const struct {
  unsigned first, last;
} ranges[] = {
    {0, 1},       {7, 7},       {9, 9},       {11, 11},     {13, 13},
    {15, 15},     {17, 17},     {19, 23},     {25, 25},     {37, 37},
    {42, 43},     {53, 53},     {69, 69},     {77, 77},     {79, 79},
    {87, 87},     {95, 95},     {101, 104},   {109, 111},   {113, 113},
    {115, 115},   {117, 117},   {119, 119},   {123, 123},   {135, 135},
    {137, 137},   {139, 139},   {143, 143},   {161, 161},   {179, 179},
    {389, 389},   {427, 427},   {465, 465},   {512, 515},   {526, 526},
    {530, 532},   {540, 540},   {548, 548},   {554, 554},   {556, 556},
    {563, 563},   {587, 587},   {601, 601},   {636, 636},   {989, 990},
    {993, 993},   {995, 995},   {1719, 1720}, {1723, 1723}, {2049, 2049},
    {3659, 3659}, {4045, 4045}, {4190, 4190}, {5060, 5061}, {6000, 6000},
    {6566, 6566}, {6665, 6669}, {6679, 6679}, {6697, 6697}, {10080, 10080},
};

static bool is_listed(unsigned port) {
  for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
    if (port >= ranges[i].first && port <= ranges[i].last) return true;
  return false;
}

TEST(s45_every_port) {
  int blocked = 0;
  for (unsigned port = 0; port <= 65535; port++) {
    bool is_blocked = ws_port_is_blocked((uint16_t)port);
    if (is_blocked != is_listed(port)) fprintf(stderr, "  port %u\n", port);
    CHECK_INT(is_blocked, is_listed(port));
    blocked += is_blocked;
  }
  CHECK_INT(blocked, 83);
}

TEST(s45_those_of_the_web_are_free) {
  CHECK(!ws_port_is_blocked(80));
  CHECK(!ws_port_is_blocked(443));
  CHECK(!ws_port_is_blocked(8080));
}

int main(void) {
  RUN(s45_every_port);
  RUN(s45_those_of_the_web_are_free);
  return check_done();
}
