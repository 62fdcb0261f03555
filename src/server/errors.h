/*
 * errors.h
 *		The extension's own SQLSTATEs, class MD (classes I-Z are free for implementations).  Documented in docs/reference.md.
 */
#ifndef MDR_ERRORS_H
#define MDR_ERRORS_H

#define ERRCODE_MDR_REFUSED			MAKE_SQLSTATE('M','D','0','0','1')	/* content refused */
#define ERRCODE_MDR_FROZEN			MAKE_SQLSTATE('M','D','0','0','2')	/* account frozen */
#define ERRCODE_MDR_SUSPENDED		MAKE_SQLSTATE('M','D','0','0','3')	/* account suspended */
#define ERRCODE_MDR_UNKNOWN			MAKE_SQLSTATE('M','D','0','0','4')	/* could not be scanned within its bounds */
#define ERRCODE_MDR_BAD_POLICY		MAKE_SQLSTATE('M','D','0','1','0')	/* policy document refused */
#define ERRCODE_MDR_BAD_GUARD		MAKE_SQLSTATE('M','D','0','1','1')	/* table cannot be guarded */

#endif							/* MDR_ERRORS_H */
