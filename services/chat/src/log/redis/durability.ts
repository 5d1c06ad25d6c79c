/** What a Redis may lose of what it has acknowledged, in words. */
export interface PersistenceConfig {
  appendonly: string;
  appendfsync: string;
}

/** Undefined when nothing is risked; `undefined` settings: Redis does not tell. */
export function durabilityWarning(config: PersistenceConfig | undefined): string | undefined {
  if (config === undefined)
    return (
      'Redis does not tell how it keeps data (CONFIG is not allowed): make sure that it has appendonly yes and ' +
      'appendfsync always, or acknowledged messages may be lost when it stops'
    );
  if (config.appendonly !== 'yes')
    return (
      'Redis has no append-only file (appendonly no): when it stops, every message since its last snapshot is lost, ' +
      'although it was acknowledged. Set appendonly yes and appendfsync always'
    );
  if (config.appendfsync === 'everysec')
    return (
      'Redis acknowledges before it has written (appendfsync everysec): when its machine stops, up to 2 s of ' +
      'acknowledged messages are lost. Set appendfsync always'
    );
  if (config.appendfsync !== 'always')
    return (
      `Redis leaves writing to the operating system (appendfsync ${config.appendfsync}): when its machine stops, 30 s and ` +
      'more of acknowledged messages are lost. Set appendfsync always'
    );
  return undefined;
}
