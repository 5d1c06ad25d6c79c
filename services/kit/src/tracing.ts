/** OpenTelemetry: spans around calls and stores, sent where OTEL_EXPORTER_OTLP_ENDPOINT says; free of cost while it is not set. */
import {
  type Context,
  context,
  defaultTextMapGetter,
  defaultTextMapSetter,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  type TextMapSetter,
  trace,
} from '@opentelemetry/api';

export { SpanKind } from '@opentelemetry/api';

let enabled = false;

/** Whether spans go anywhere: hot paths ask before they make one. */
export function tracingEnabled(): boolean {
  return enabled;
}

/** Starts the SDK when an OTLP endpoint is set; disposing of it sends what is left. */
export async function startTracing(serviceName: string, endpoint: string | undefined): Promise<AsyncDisposable> {
  if (endpoint === undefined) return { async [Symbol.asyncDispose]() {} };
  // Loaded only when wanted: the SDK costs a third of the start-up time.
  const { NodeSDK } = await import('@opentelemetry/sdk-node');
  const sdk = new NodeSDK({ serviceName, instrumentations: [] });
  sdk.start();
  enabled = true;
  return {
    async [Symbol.asyncDispose]() {
      enabled = false;
      await sdk.shutdown().catch(() => undefined); // A collector that is gone must not hold up the end.
    },
  };
}

const tracer = () => trace.getTracer('parley');

/** Runs `work` in a span of this name; the span ends with it and has its error. */
export async function inSpan<T>(
  name: string,
  attributes: Record<string, string | number>,
  work: (span: Span | undefined) => Promise<T>,
  options: { kind?: SpanKind; parent?: Context } = {},
): Promise<T> {
  if (!enabled) return work(undefined);
  const parent = options.parent ?? context.active();
  const span = tracer().startSpan(name, { attributes, kind: options.kind ?? SpanKind.INTERNAL }, parent);
  try {
    return await context.with(trace.setSpan(parent, span), work, undefined, span);
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : String(error) });
    throw error;
  } finally {
    span.end();
  }
}

/** The trace that a carrier (metadata, headers) belongs to. */
export function extractTrace<C>(carrier: C, getter: TextMapGetter<C>): Context {
  return enabled ? propagation.extract(context.active(), carrier, getter) : context.active();
}

/** The trace that a message on a stream belongs to; see activeTraceparent. */
export function traceOf(traceparent: string): Context {
  return extractTrace({ traceparent }, defaultTextMapGetter);
}

/** The active trace, for a message on a stream that many traces share; empty where there is none. */
export function activeTraceparent(): string {
  const carrier: Record<string, string> = {};
  injectTrace(carrier, defaultTextMapSetter);
  return carrier['traceparent'] ?? '';
}

/** The trace that is active now, to go on in later; undefined while nothing is traced. */
export function activeTrace(): Context | undefined {
  return enabled ? context.active() : undefined;
}

/** Goes on in a trace. */
export function inTrace<T>(active: Context | undefined, work: () => T): T {
  return active ? context.with(active, work) : work();
}

/** Writes the active trace into a carrier. */
export function injectTrace<C>(carrier: C, setter: TextMapSetter<C>): void {
  if (enabled) propagation.inject(context.active(), carrier, setter);
}
