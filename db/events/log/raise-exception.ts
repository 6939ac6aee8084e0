/** Creates the event of an exception, which a person must examine. */

import type { ExceptionRaised } from '../../../wire/event.js'
import { newId } from '../../new-id.js'
import type { NewEvent } from './append-events.js'

export interface NewException {
  readonly merchantId: string
  /** Kind, e.g. `deposit.reverted_after_spend`. */
  readonly kind: string
  readonly severity: ExceptionRaised['severity']
  /** Id of the object that the exception concerns. */
  readonly subject: string
  /** Facts for the person who examines it. JSON only. */
  readonly facts: Readonly<Record<string, unknown>>
}

/** Returns the `exception.raised` event of an exception. Append it in the transaction of its cause. */
export function exceptionEvent(exception: NewException): NewEvent {
  const data = {
    ...exception.facts,
    id: newId('exc'),
    kind: exception.kind,
    severity: exception.severity,
    subject: exception.subject,
  } satisfies ExceptionRaised
  return { merchantId: exception.merchantId, type: 'exception.raised', subject: exception.subject, data }
}
