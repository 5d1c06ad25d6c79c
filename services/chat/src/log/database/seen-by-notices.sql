-- A JOIN or a LEAVE in a log that has lost its tail starts a new epoch, as a message does: chat.enter and chat.leave know what
-- the pod has seen. Without that they are called by pods of the version before, for as long as an update rolls.
create function chat.enter(p_room text, p_pod text, p_user text, p_username text, p_capacity integer, p_drafts jsonb,
  p_bodies bytea, p_seen_epoch text, p_seen bigint, p_new_epoch text, p_notify boolean) returns jsonb language plpgsql as $$
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
  return chat.write(p_room, p_drafts, p_bodies, p_seen_epoch, p_seen, p_new_epoch, p_notify);
end
$$;

---
create or replace function chat.enter(p_room text, p_pod text, p_user text, p_username text, p_capacity integer,
  p_drafts jsonb, p_bodies bytea, p_notify boolean) returns jsonb language sql as $$
  select chat.enter(p_room, p_pod, p_user, p_username, p_capacity, p_drafts, p_bodies, null, null, null, p_notify)
$$;

---
create function chat.leave(p_room text, p_pod text, p_users text[], p_drafts jsonb, p_bodies bytea, p_seen_epoch text,
  p_seen bigint, p_new_epoch text, p_notify boolean) returns jsonb language plpgsql as $$
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
  return chat.write(p_room, drafts, p_bodies, p_seen_epoch, p_seen, p_new_epoch, p_notify)
    || jsonb_build_object('left', to_jsonb(gone));
end
$$;

---
create or replace function chat.leave(p_room text, p_pod text, p_users text[], p_drafts jsonb, p_bodies bytea,
  p_notify boolean) returns jsonb language sql as $$
  select chat.leave(p_room, p_pod, p_users, p_drafts, p_bodies, null, null, null, p_notify)
$$;
