# See fastcgi-perl.conf.
use strict;
use warnings;
use FCGI;

my $request = FCGI::Request(\*STDIN, \*STDOUT, \*STDERR, \%ENV, 0, FCGI::FAIL_ACCEPT_ON_INTR());

# The request that is being served is the last one; an accept that waits ends.
$SIG{TERM} = sub { $request->LastCall() };

while ($request->Accept() >= 0) {
	my $client = $ENV{REMOTE_ADDR} // 'whoever you are';

	print "Content-Type: text/plain\r\n\r\nHello, $client!\n";
}
