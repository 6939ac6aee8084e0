/**
 * Reports an error that the approver can correct. It is printed without a stack trace; the exit code is 1.
 */
export class Failure extends Error {
  override readonly name = 'Failure'
}
