/** Error that the operator can correct. It is printed without a stack trace, and the exit code is 1. */
export class Failure extends Error {
  override readonly name = 'Failure'
}
