/** A failure that the approver can act upon: printed without a stack trace, exit code 1. */
export class Failure extends Error {
  override readonly name = 'Failure'
}
