/** Declares the logger that activities write to. Both pino and `console` have this shape. */

/** Log of the process. */
export interface Logger {
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
  error(facts: object, message: string): void
}
