/** What discovery needs of a logger; pino's interface fits. */
export interface Log {
  info(fields: object, event: string): void;
  warn(fields: object, event: string): void;
  error(fields: object, event: string): void;
}

export type Labels = Record<string, string>;

/** What discovery needs of a metrics library; a few lines put it over prom-client (README.md has them). */
export interface Metrics {
  counter(name: string, help: string, labelNames: readonly string[]): { inc(labels: Labels, by?: number): void };
  /** `collect` is called whenever the metric is read. */
  gauge(name: string, help: string, labelNames: readonly string[], collect: () => Iterable<[Labels, number]>): void;
}

export const silentLog: Log = { info() {}, warn() {}, error() {} };

export const noMetrics: Metrics = {
  counter: () => ({ inc() {} }),
  gauge() {},
};
