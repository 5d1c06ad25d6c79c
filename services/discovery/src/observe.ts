/** What discovery needs of a logger; pino's interface fits. */
export interface Log {
  info(fields: object, event: string): void;
  warn(fields: object, event: string): void;
  error(fields: object, event: string): void;
}

export type Labels = Record<string, string>;

/** What discovery needs of a metrics library. The kit's Metrics fits; over prom-client it is a few lines (README.md). */
export interface Metrics {
  counter(name: string, help: string, labelNames: string[]): { inc(labels: Labels): void };
  /** `collect` is called, with the gauge as `this`, whenever the metric is read. */
  gauge(name: string, help: string, labelNames: string[], collect: (this: Gauge) => void): void;
}

export interface Gauge {
  reset(): void;
  set(labels: Labels, value: number): void;
}

export const silentLog: Log = { info() {}, warn() {}, error() {} };

export const noMetrics: Metrics = {
  counter: () => ({ inc() {} }),
  gauge() {},
};
