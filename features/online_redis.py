"""The online store on a Redis server: one hash an entity, one field a view."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from feast import RepoConfig
from feast.repo_config import FeastConfigBaseModel

from features.connection_pool import ConnectionPool
from features.online_server import connect_redis, redis_faults
from features.online_store import PackedOnlineStore

# Written in one step each, so that nobody reads half of an entity; see `PackedOnlineStore` for which row stays. The
# first eight bytes of a row are its event time, the ninth says whether it was pushed.
_WRITE = """
local run, views = ARGV[1] == '1', tonumber(ARGV[2])
local names, at = {}, 2 + views
for v = 1, views do names[v] = ARGV[2 + v] end
for i = 1, #KEYS do
  local former, pairs_ = redis.call('HMGET', KEYS[i], unpack(names)), {}
  for v = 1, views do
    local new, old = ARGV[at + v], former[v]
    local write = not old or (run and string.byte(old, 9) == 0)
    if not write then
      local new_high, new_low = struct.unpack('>I4I4', new)
      local old_high, old_low = struct.unpack('>I4I4', old)
      write = new_high > old_high or (new_high == old_high and new_low >= old_low)
    end
    if write then
      pairs_[#pairs_ + 1] = names[v]
      pairs_[#pairs_ + 1] = new
    end
  end
  at = at + views
  if #pairs_ > 0 then redis.call('HSET', KEYS[i], unpack(pairs_)) end
end
"""
# Others are served between two steps of a few milliseconds.
_KEYS_AT_ONCE = 200


class RedisOnlineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc] # Feast ships no types
    """The `online_store` section of `feature_store.yaml`."""

    type: Literal["features.online_redis.RedisOnlineStore"] = "features.online_redis.RedisOnlineStore"
    url_env: str = "KIZASHI_ONLINE_STORE_URL"
    namespace: str


class RedisOnlineStore(PackedOnlineStore):
    """Packed rows in hashes whose keys begin with the namespace."""

    def __init__(self) -> None:
        super().__init__()
        self._client: Any = None
        self._readers: ConnectionPool | None = None
        self._script: Any = None

    def read_rows(self, config: RepoConfig, keys: Sequence[bytes], views: Sequence[str]) -> list[list[bytes | None]]:
        """See `PackedOnlineStore`: one round trip."""
        if self._readers is None:
            self._readers = ConnectionPool(lambda: connect_redis(config.online_store.url_env, alone=True))
        prefix = _prefix(config)
        with redis_faults(), self._readers.connection() as client:
            if len(keys) == 1:
                return [_ask(client, prefix + keys[0], views)]
            pipeline = client.pipeline(transaction=False)
            for key in keys:
                pipeline.hmget(prefix + key, views)
            found: list[list[bytes | None]] = pipeline.execute()
        return found

    def write_rows(
        self,
        config: RepoConfig,
        keys: Sequence[bytes],
        rows: Mapping[str, Sequence[bytes]],
        *,
        run: bool,
        notes: Mapping[str, str] | None = None,
    ) -> None:
        """See `PackedOnlineStore`: each entity in one step, notes after all of them."""
        client, prefix = self._connect(config), _prefix(config)
        packed = list(zip(*rows.values(), strict=True))
        with redis_faults():
            pipeline = client.pipeline(transaction=False)
            for first in range(0, len(keys), _KEYS_AT_ONCE):
                chosen = keys[first : first + _KEYS_AT_ONCE]
                values = [value for row in packed[first : first + _KEYS_AT_ONCE] for value in row]
                self._script(
                    keys=[prefix + key for key in chosen],
                    args=[int(run), len(rows), *rows, *values],
                    client=pipeline,
                )
            if notes:
                pipeline.hset(_notes(config), mapping=dict(notes))
            pipeline.execute()

    def read_note(self, config: RepoConfig, name: str) -> str | None:
        """See `PackedOnlineStore`."""
        with redis_faults():
            found = self._connect(config).hget(_notes(config), name)
        return None if found is None else found.decode()

    def remove_rows(self, config: RepoConfig, keys: Sequence[bytes]) -> None:
        """See `PackedOnlineStore`."""
        client, prefix = self._connect(config), _prefix(config)
        with redis_faults():
            for first in range(0, len(keys), _KEYS_AT_ONCE):
                client.delete(*(prefix + key for key in keys[first : first + _KEYS_AT_ONCE]))

    def remove_view(self, config: RepoConfig, view: str) -> None:
        """See `PackedOnlineStore`."""
        client = self._connect(config)
        with redis_faults():
            pipeline = client.pipeline(transaction=False)
            for key in client.scan_iter(_prefix(config) + b"*", count=1_000):
                pipeline.hdel(key, view)
            pipeline.execute()

    def erase(self, config: RepoConfig, keys: Sequence[bytes]) -> None:
        """Remove entities from memory; what the server has written to its own files ends when it rewrites them."""
        self.remove_rows(config, keys)

    def _connect(self, config: RepoConfig) -> Any:
        """The client, which threads share."""
        if self._client is None:
            client = connect_redis(config.online_store.url_env)
            self._script = client.register_script(_WRITE)
            self._client = client
        return self._client


def _ask(client: Any, key: bytes, views: Sequence[str]) -> list[bytes | None]:
    """One entity's rows over the client's own connection; what the client does around each command costs as much again.

    A connection that the server has closed meanwhile is left to the client, which opens another one.
    """
    from redis.exceptions import ConnectionError as Closed

    connection = client.connection
    try:
        connection.send_command("HMGET", key, *views)
        rows: list[bytes | None] = connection.read_response()
    except Closed:
        connection.disconnect()
        rows = client.hmget(key, views)
    return rows


def _prefix(config: RepoConfig) -> bytes:
    return f"{config.online_store.namespace}:{config.project}:".encode()


def _notes(config: RepoConfig) -> bytes:
    return f"{config.online_store.namespace}/{config.project}/notes".encode()
