/** Version that the signer reports at enrolment. */
export const SIGNER_VERSION = '0.1.0'
