/* SPDX-License-Identifier: MIT */
/* Topics are in a hash table, each with an array of its subscriptions.
 * Subscriptions are in another hash table, and each knows its places, so that
 * joining and leaving cost the same however many there are. Names are the
 * program's, not the peer's: any hash will do. */
#include "connection/topics.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "connection/connection_open.h"

#include <string.h>

typedef struct ws_topic {
  struct ws_topic *next; /* in its bucket */
  struct ws_subscription **subscribers;
  size_t count, cap;
  uint32_t hash;
  size_t len;
  char name[];
} ws_topic;

typedef struct ws_subscription {
  ws_topic *topic;
  ws_connection *connection;
  size_t place; /* in topic->subscribers */
  uint64_t had; /* the number of the last publication it was sent */
  struct ws_subscription *next, *previous; /* the connection's, in a ring */
  struct ws_subscription *same;            /* in its bucket */
} ws_subscription;

static ws_topic **place_of(ws_topics *topics, ws_slice name, uint32_t hash) {
  if (topics->bucket_count == 0) return NULL;
  ws_topic **at = &topics->buckets[hash & (topics->bucket_count - 1)];
  while (*at) {
    ws_slice its = {(*at)->name, (*at)->len};
    if ((*at)->hash == hash && ws_slice_equal(its, name)) break;
    at = &(*at)->next;
  }
  return at;
}

static ws_topic *find(ws_topics *topics, ws_slice name) {
  ws_topic **at = place_of(topics, name, ws_slice_hash(name));
  return at ? *at : NULL;
}

static bool grow_table(ws_topics *topics) {
  if (topics->count < topics->bucket_count) return true;
  size_t count = topics->bucket_count ? topics->bucket_count * 2 : 16;
  ws_topic **buckets = ws_memory_new(count * sizeof *buckets);
  if (!buckets) return topics->bucket_count > 0;
  for (size_t i = 0; i < topics->bucket_count; i++) {
    while (topics->buckets[i]) {
      ws_topic *topic = topics->buckets[i];
      topics->buckets[i] = topic->next;
      topic->next = buckets[topic->hash & (count - 1)];
      buckets[topic->hash & (count - 1)] = topic;
    }
  }
  ws_memory_free(topics->buckets);
  topics->buckets = buckets;
  topics->bucket_count = count;
  return true;
}

static ws_topic *find_or_add(ws_topics *topics, ws_slice name) {
  ws_topic *topic = find(topics, name);
  if (topic) return topic;
  if (!grow_table(topics)) return NULL;
  topic = ws_memory_new(sizeof *topic + name.len);
  if (!topic) return NULL;
  topic->hash = ws_slice_hash(name);
  topic->len = name.len;
  if (name.len) memcpy(topic->name, name.data, name.len);
  *place_of(topics, name, topic->hash) = topic;
  topics->count++;
  return topic;
}

static void drop_if_empty(ws_topics *topics, ws_topic *topic) {
  if (topic->count > 0) return;
  ws_slice name = {topic->name, topic->len};
  ws_topic **at = place_of(topics, name, topic->hash);
  *at = topic->next;
  topics->count--;
  ws_memory_free(topic->subscribers);
  ws_memory_free(topic);
}

static bool reserve_place(ws_topic *topic) {
  if (topic->count < topic->cap) return true;
  size_t cap = topic->cap ? topic->cap * 2 : 4;
  void *grown = ws_memory_resize(topic->subscribers,
                                 cap * sizeof *topic->subscribers);
  if (!grown) return false;
  topic->subscribers = grown;
  topic->cap = cap;
  return true;
}

/* ------------------------------------------------------- subscriptions */

static size_t hash_pair(const ws_connection *connection,
                        const ws_topic *topic) {
  uint64_t mixed = (uint64_t)(uintptr_t)connection * 0x9e3779b97f4a7c15u;
  mixed = (mixed ^ (uint64_t)(uintptr_t)topic) * 0xff51afd7ed558ccdu;
  return (size_t)(mixed >> 32);
}

/* Where the table points to that subscription, or would. */
static ws_subscription **place_of_pair(ws_topics *topics,
                                       const ws_connection *connection,
                                       const ws_topic *topic) {
  size_t hash = hash_pair(connection, topic);
  ws_subscription **at = &topics->places[hash & (topics->place_count - 1)];
  while (*at && ((*at)->topic != topic || (*at)->connection != connection))
    at = &(*at)->same;
  return at;
}

static ws_subscription *find_pair(ws_topics *topics,
                                  const ws_connection *connection,
                                  const ws_topic *topic) {
  if (topics->place_count == 0) return NULL;
  return *place_of_pair(topics, connection, topic);
}

static bool grow_places(ws_topics *topics) {
  if (topics->subscriptions < topics->place_count) return true;
  size_t count = topics->place_count ? topics->place_count * 2 : 16;
  ws_subscription **places = ws_memory_new(count * sizeof *places);
  if (!places) return topics->place_count > 0;
  for (size_t i = 0; i < topics->place_count; i++) {
    while (topics->places[i]) {
      ws_subscription *one = topics->places[i];
      size_t at = hash_pair(one->connection, one->topic) & (count - 1);
      topics->places[i] = one->same;
      one->same = places[at];
      places[at] = one;
    }
  }
  ws_memory_free(topics->places);
  topics->places = places;
  topics->place_count = count;
  return true;
}

static void enter_ring(ws_connection_links *links, ws_subscription *one) {
  ws_subscription *first = links->subscriptions;
  one->next = first ? first : one;
  one->previous = first ? first->previous : one;
  one->previous->next = one;
  one->next->previous = one;
  if (!first) links->subscriptions = one;
}

static void leave_ring(ws_connection_links *links, ws_subscription *one) {
  if (links->subscriptions == one)
    links->subscriptions = one->next == one ? NULL : one->next;
  one->previous->next = one->next;
  one->next->previous = one->previous;
}

static void leave(ws_topics *topics, ws_subscription *subscription) {
  ws_topic *topic = subscription->topic;
  ws_subscription *last = topic->subscribers[--topic->count];
  topic->subscribers[subscription->place] = last;
  last->place = subscription->place;
  *place_of_pair(topics, subscription->connection, topic) =
      subscription->same;
  topics->subscriptions--;
  topics->listed = NULL;
  leave_ring(ws_connection_links_of(subscription->connection), subscription);
  ws_memory_free(subscription);
  drop_if_empty(topics, topic);
}

void ws_topics_deinit(ws_topics *topics) {
  ws_memory_free(topics->buckets);
  ws_memory_free(topics->places);
  ws_run_free(topics->newest);
  memset(topics, 0, sizeof *topics);
}

int ws_topics_subscribe(ws_topics *topics, ws_connection *connection,
                        ws_slice name) {
  ws_topic *topic = find_or_add(topics, name);
  if (!topic) return WS_ENOMEM;
  if (find_pair(topics, connection, topic)) return WS_OK;
  ws_subscription *subscription = ws_memory_new(sizeof *subscription);
  if (!subscription || !reserve_place(topic) || !grow_places(topics)) {
    ws_memory_free(subscription);
    drop_if_empty(topics, topic);
    return WS_ENOMEM;
  }
  subscription->topic = topic;
  subscription->connection = connection;
  subscription->place = topic->count;
  topic->subscribers[topic->count++] = subscription;
  *place_of_pair(topics, connection, topic) = subscription;
  topics->subscriptions++;
  enter_ring(ws_connection_links_of(connection), subscription);
  return WS_OK;
}

bool ws_topics_unsubscribe(ws_topics *topics, ws_connection *connection,
                           ws_slice name) {
  ws_subscription *subscription =
      find_pair(topics, connection, find(topics, name));
  if (!subscription) return false;
  leave(topics, subscription);
  return true;
}

void ws_topics_leave(ws_topics *topics, ws_connection *connection) {
  ws_connection_links *links = ws_connection_links_of(connection);
  while (links->subscriptions) leave(topics, links->subscriptions);
}

bool ws_topics_of(ws_topics *topics, ws_connection *connection, size_t nth,
                  ws_slice *name) {
  const ws_subscription *first =
      ws_connection_links_of(connection)->subscriptions;
  const ws_subscription *at = topics->listed;
  bool goes_on = at && at->connection == connection &&
                 topics->listed_nth + 1 == nth;
  at = goes_on ? at->next : first;
  for (size_t i = goes_on ? nth : 0; at && i < nth; i++) {
    at = at->next;
    if (at == first) return false;
  }
  if (!at || (nth > 0 && at == first)) return false;
  topics->listed = at;
  topics->listed_nth = nth;
  *name = (ws_slice){at->topic->name, at->topic->len};
  return true;
}

/* --------------------------------------------------------- publishing */

ptrdiff_t ws_topics_publish(ws_topics *topics, ws_slice name, unsigned opcode,
                            const void *data, size_t len,
                            const ws_connection *except) {
  ws_topic *topic = find(topics, name);
  ws_publication publication;
  ptrdiff_t sent = 0;
  ws_publication_begin(&publication, &topics->newest, opcode, data, len);
  uint64_t number = ++topics->publications;
  /* Backwards, because a subscriber that fails now leaves, and the last takes
   * its place. Another may leave with it, and the topic with both; or only the
   * other, whose place may go to one that has had the message. */
  for (size_t i = topic ? topic->count : 0; topic && i-- > 0;) {
    ws_subscription *one = topic->subscribers[i];
    ws_connection *connection = one->connection;
    if (connection == except || ws_connection_state(connection) != WS_OPEN ||
        one->had == number)
      continue;
    one->had = number;
    size_t before = topics->subscriptions;
    int status = ws_publication_send(&publication, connection);
    if (status == WS_OK) sent++;
    /* Without memory for the message itself, no subscriber has failed. */
    if (status == WS_ENOMEM && ws_connection_state(connection) == WS_OPEN)
      sent = WS_ENOMEM;
    if (sent < 0) break;
    if (topics->subscriptions != before) topic = find(topics, name);
    if (topic && i > topic->count) i = topic->count;
  }
  ws_publication_end(&publication);
  return sent;
}
