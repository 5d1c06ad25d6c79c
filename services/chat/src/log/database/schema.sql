create table chat.room (
  room_id text collate "C" primary key,
  -- Null: the room was deleted and its history kept.
  record text,
  version integer not null,
  max_messages integer not null,
  max_age_ms bigint not null,
  epoch text not null,
  head bigint not null default 0,
  last_ms bigint not null default 0,
  last_text_ms bigint,
  -- The highest sequence of a TEXT, SYSTEM or REMOVED message that is not kept any more.
  trimmed bigint not null default 0,
  -- How many there have ever been, and how many of them are gone; each message knows its number (nth).
  texts bigint not null default 0,
  texts_gone bigint not null default 0,
  notices bigint not null default 0,
  notices_gone bigint not null default 0,
  members integer not null default 0
) with (fillfactor = 50);

---
create table chat.message (
  room_id text collate "C" not null,
  sequence bigint not null,
  type smallint not null,
  -- TEXT and SYSTEM; the others are notices, kept beside them.
  is_text boolean not null,
  nth bigint not null,
  timestamp_ms bigint not null,
  id text not null,
  sender_id text not null,
  -- The ChatMessage without timestamp, sequence and epoch.
  body bytea not null,
  primary key (room_id, sequence)
);

---
create unique index message_nth on chat.message (room_id, is_text, nth);

---
create table chat.idempotency (
  room_id text collate "C" not null,
  sender_id text not null,
  key text not null,
  content_hash text not null,
  message_id text not null,
  sequence bigint not null,
  timestamp_ms bigint not null,
  primary key (room_id, sender_id, key)
);

---
create index idempotency_sequence on chat.idempotency (room_id, sequence);

---
create table chat.rate (
  room_id text collate "C" not null,
  sender_id text not null,
  -- GCRA's theoretical arrival time, in milliseconds since 1970.
  arrival_ms double precision not null,
  primary key (room_id, sender_id)
);

---
create table chat.member (
  room_id text collate "C" not null,
  user_id text not null,
  pod text not null,
  username text not null,
  primary key (room_id, user_id, pod)
);

---
create index member_pod on chat.member (pod, room_id);

---
create table chat.lease (
  pod text primary key,
  ends_ms bigint not null,
  -- How many streams the pod serves.
  streams integer not null
);

---
create table chat.read_mark (
  user_id text not null,
  room_id text collate "C" not null,
  epoch text not null,
  sequence bigint not null,
  primary key (user_id, room_id)
);

---
create function chat.now_ms() returns bigint language sql volatile as $$
  select floor(extract(epoch from clock_timestamp()) * 1000)::bigint
$$;

---
-- Tells the followers of a room. What is too long for a notification is shortened to where to read.
create function chat.announce(p_announcement jsonb) returns void language plpgsql as $$
declare
  payload text := p_announcement::text;
begin
  if octet_length(payload) > 7900 then
    payload := (p_announcement - 'd' || jsonb_build_object('n', jsonb_array_length(p_announcement -> 'd')))::text;
  end if;
  perform pg_notify('parley_chat', payload);
end
$$;

---
-- Drops what a room does not keep: over its maxMessages, beyond 200 notices, past its maxAge. The row is locked by the caller.
create function chat.trim(p_room text) returns void language plpgsql as $$
declare
  r chat.room;
  now_ms bigint := chat.now_ms();
  cutoff bigint;
  texts_floor bigint;
  notices_floor bigint;
  lost bigint;
begin
  select * into r from chat.room where room_id = p_room;
  texts_floor := greatest(r.texts_gone, r.texts - r.max_messages);
  notices_floor := greatest(r.notices_gone, r.notices - 200);
  if r.max_age_ms > 0 then
    cutoff := now_ms - r.max_age_ms;
    -- Times never go back within a room, so that only the oldest need looking at.
    select greatest(texts_floor, coalesce(max(nth) filter (where is_text), 0)),
      greatest(notices_floor, coalesce(max(nth) filter (where not is_text), 0))
      into texts_floor, notices_floor
      from chat.message where room_id = p_room and timestamp_ms < cutoff
        and exists (select from (select timestamp_ms from chat.message where room_id = p_room order by sequence limit 1) oldest
          where oldest.timestamp_ms < cutoff);
  end if;
  if texts_floor = r.texts_gone and notices_floor = r.notices_gone then
    return;
  end if;
  with gone as (
    delete from chat.message
      where room_id = p_room and (is_text and nth <= texts_floor or not is_text and nth <= notices_floor)
      returning sequence, type
  )
  select max(sequence) into lost from gone where type in (1, 4, 5);
  update chat.room set texts_gone = texts_floor, notices_gone = notices_floor, trimmed = greatest(trimmed, coalesce(lost, 0))
    where room_id = p_room;
  -- Keys live the longer of 10 minutes and their message. Looked at now and then: a lookup knows that itself.
  if texts_floor / 100 > r.texts_gone / 100 then
    delete from chat.idempotency
      where room_id = p_room and sequence <= greatest(r.trimmed, coalesce(lost, 0)) and timestamp_ms < now_ms - 600000;
    delete from chat.rate where room_id = p_room and arrival_ms < now_ms;
  end if;
end
$$;

---
-- Numbers and appends drafts to a room whose row the caller has locked. Each draft is {i: id, t: type, s: sender, o, n: offset
-- and length of its body in p_bodies, k, h: idempotency key and content hash, m, b: rate per minute and burst}.
-- Answers {e: epoch, t: timestamp, o: [['a', sequence] | ['d', id, sequence, timestamp] | ['k'] | ['r', retry after ms]]}.
create function chat.write(p_room text, p_drafts jsonb, p_bodies bytea, p_seen_epoch text, p_seen bigint, p_new_epoch text,
  p_notify boolean) returns jsonb language plpgsql as $$
declare
  r chat.room;
  now_ms bigint;
  first bigint;
  text_ms bigint;
  is_new boolean := false;
  d jsonb;
  known chat.idempotency;
  arrival double precision;
  spacing double precision;
  kind smallint;
  body bytea;
  outcomes jsonb := '[]';
  announced jsonb := '[]';
begin
  select * into r from chat.room where room_id = p_room;
  now_ms := greatest(chat.now_ms(), r.last_ms);
  -- A log that is behind what somebody has seen has lost its tail.
  if p_seen_epoch = r.epoch and r.head < p_seen then
    r.epoch := p_new_epoch;
    is_new := true;
  end if;
  first := r.head;
  text_ms := r.last_text_ms;
  for d in select * from jsonb_array_elements(p_drafts) loop
    if d ? 'k' then
      select * into known from chat.idempotency
        where room_id = p_room and sender_id = d ->> 's' and key = d ->> 'k'
          and (sequence > r.trimmed or timestamp_ms > now_ms - 600000);
      if found then
        outcomes := outcomes || jsonb_build_array(case when known.content_hash = d ->> 'h'
          then jsonb_build_array('d', known.message_id, known.sequence, known.timestamp_ms) else '["k"]'::jsonb end);
        continue;
      end if;
    end if;
    if d ? 'm' then
      spacing := 60000.0 / (d ->> 'm')::integer;
      select arrival_ms into arrival from chat.rate where room_id = p_room and sender_id = d ->> 's';
      arrival := greatest(coalesce(arrival, 0), now_ms) + spacing;
      if arrival - now_ms > spacing * greatest((d ->> 'b')::integer, 1) + 0.001 then
        outcomes := outcomes || jsonb_build_array(jsonb_build_array('r',
          ceil(arrival - now_ms - spacing * greatest((d ->> 'b')::integer, 1))));
        continue;
      end if;
      insert into chat.rate values (p_room, d ->> 's', arrival)
        on conflict (room_id, sender_id) do update set arrival_ms = excluded.arrival_ms;
    end if;
    r.head := r.head + 1;
    kind := (d ->> 't')::smallint;
    body := substring(p_bodies from (d ->> 'o')::integer + 1 for (d ->> 'n')::integer);
    if kind in (1, 4) then
      r.texts := r.texts + 1;
      text_ms := now_ms;
      insert into chat.message values (p_room, r.head, kind, true, r.texts, now_ms, d ->> 'i', d ->> 's', body);
    else
      r.notices := r.notices + 1;
      insert into chat.message values (p_room, r.head, kind, false, r.notices, now_ms, d ->> 'i', d ->> 's', body);
    end if;
    if d ? 'k' then
      insert into chat.idempotency values (p_room, d ->> 's', d ->> 'k', d ->> 'h', d ->> 'i', r.head, now_ms)
        on conflict (room_id, sender_id, key) do update set content_hash = excluded.content_hash,
          message_id = excluded.message_id, sequence = excluded.sequence, timestamp_ms = excluded.timestamp_ms;
    end if;
    outcomes := outcomes || jsonb_build_array(jsonb_build_array('a', r.head));
    if p_notify then
      announced := announced || jsonb_build_array(jsonb_build_array(kind, d ->> 'i', d ->> 's', encode(body, 'base64')));
    end if;
  end loop;
  if r.head > first or is_new then
    update chat.room set epoch = r.epoch, head = r.head, last_ms = now_ms, last_text_ms = text_ms, texts = r.texts,
      notices = r.notices where room_id = p_room;
    if r.texts - r.texts_gone > r.max_messages or r.notices - r.notices_gone > 200 or r.max_age_ms > 0 then
      perform chat.trim(p_room);
    end if;
    if p_notify then
      perform chat.announce(jsonb_build_object('r', p_room, 'k', 'e', 'e', r.epoch, 'f', first + 1, 't', now_ms, 'd', announced));
    end if;
  end if;
  return jsonb_build_object('k', 'done', 'e', r.epoch, 't', now_ms, 'f', first + 1, 'new', is_new, 'o', outcomes);
end
$$;

---
-- One step of a room: see ChatLog.append.
create function chat.append(p_room text, p_version integer, p_drafts jsonb, p_bodies bytea, p_seen_epoch text, p_seen bigint,
  p_new_epoch text, p_notify boolean) returns jsonb language plpgsql as $$
declare
  r chat.room;
begin
  select * into r from chat.room where room_id = p_room for update;
  if r.record is null then
    return '{"k": "no-room"}';
  elsif r.version <> p_version then
    return jsonb_build_object('k', 'stale', 'record', r.record);
  end if;
  return chat.write(p_room, p_drafts, p_bodies, p_seen_epoch, p_seen, p_new_epoch, p_notify);
end
$$;

---
-- A member's stream on a pod; his JOIN when he was absent: see ChatLog.enter.
create function chat.enter(p_room text, p_pod text, p_user text, p_username text, p_capacity integer, p_drafts jsonb,
  p_bodies bytea, p_notify boolean) returns jsonb language plpgsql as $$
declare
  r chat.room;
begin
  select * into r from chat.room where room_id = p_room for update;
  if r.record is null then
    return '{"k": "no-room"}';
  end if;
  if exists (select from chat.member where room_id = p_room and user_id = p_user) then
    insert into chat.member values (p_room, p_user, p_pod, p_username) on conflict do nothing;
    return '{"k": "present"}';
  end if;
  if r.members >= p_capacity then
    return '{"k": "full"}';
  end if;
  insert into chat.member values (p_room, p_user, p_pod, p_username);
  update chat.room set members = members + 1 where room_id = p_room;
  return chat.write(p_room, p_drafts, p_bodies, null, null, null, p_notify);
end
$$;

---
-- Takes members' streams on a pod away; p_drafts are their LEAVEs, written for those who have no stream on another pod.
create function chat.leave(p_room text, p_pod text, p_users text[], p_drafts jsonb, p_bodies bytea, p_notify boolean)
  returns jsonb language plpgsql as $$
declare
  r chat.room;
  gone integer[];
  drafts jsonb;
begin
  select * into r from chat.room where room_id = p_room for update;
  with deleted as (
    delete from chat.member where room_id = p_room and pod = p_pod and user_id = any(p_users) returning user_id
  )
  select array_agg(u.place::integer order by u.place) into gone
    from unnest(p_users) with ordinality u(user_id, place) join deleted using (user_id)
    where not exists (select from chat.member m where m.room_id = p_room and m.user_id = u.user_id and m.pod <> p_pod);
  if gone is null then
    return '{"k": "done", "left": [], "o": []}';
  end if;
  update chat.room set members = members - cardinality(gone) where room_id = p_room;
  if r.record is null then
    return jsonb_build_object('k', 'done', 'left', to_jsonb(gone), 'o', '[]'::jsonb);
  end if;
  select jsonb_agg(p_drafts -> (place - 1) order by place) into drafts from unnest(gone) place;
  return chat.write(p_room, drafts, p_bodies, null, null, null, p_notify) || jsonb_build_object('left', to_jsonb(gone));
end
$$;

---
-- Writes a room's record if its version is still the expected one: see ChatLog.putRoom. Null when it was written.
create function chat.put_room(p_room text, p_record text, p_expected integer, p_max_messages integer, p_max_age_ms bigint,
  p_new_epoch text, p_notify boolean) returns jsonb language plpgsql as $$
declare
  r chat.room;
  next_version integer := p_record::jsonb ->> 'version';
begin
  if p_expected = 0 then
    insert into chat.room (room_id, version, max_messages, max_age_ms, epoch)
      values (p_room, 0, p_max_messages, p_max_age_ms, p_new_epoch) on conflict do nothing;
  end if;
  select * into r from chat.room where room_id = p_room for update;
  if not found or (case when r.record is null then 0 else r.version end) <> p_expected then
    return jsonb_build_object('record', r.record);
  end if;
  update chat.room set record = p_record, version = next_version, max_messages = p_max_messages, max_age_ms = p_max_age_ms
    where room_id = p_room;
  if r.record is not null then
    perform chat.trim(p_room);
  end if;
  if p_notify then
    perform chat.announce(jsonb_build_object('r', p_room, 'k', 'r', 'v', next_version));
  end if;
  return null;
end
$$;

---
-- See ChatLog.deleteRoom.
create function chat.delete_room(p_room text, p_expected integer, p_keep boolean, p_notify boolean) returns boolean
  language plpgsql as $$
declare
  r chat.room;
begin
  select * into r from chat.room where room_id = p_room for update;
  if r.record is null or r.version <> p_expected then
    return false;
  end if;
  delete from chat.member where room_id = p_room;
  delete from chat.rate where room_id = p_room;
  if p_keep then
    update chat.room set record = null, members = 0 where room_id = p_room;
  else
    delete from chat.message where room_id = p_room;
    delete from chat.idempotency where room_id = p_room;
    delete from chat.read_mark where room_id = p_room;
    delete from chat.room where room_id = p_room;
  end if;
  if p_notify then
    perform chat.announce(jsonb_build_object('r', p_room, 'k', 'r', 'v', 0));
  end if;
  return true;
end
$$;

---
-- Drops what is past a room's maxAge, for readers of a room in which nobody writes.
create function chat.expire(p_room text) returns void language plpgsql as $$
begin
  perform from chat.room where room_id = p_room for update;
  perform chat.trim(p_room);
end
$$;
